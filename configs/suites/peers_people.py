"""Every peer on the detections of the people weights, in two street scenes (docs/peers.md)."""

title = "Peers on LA-MOTR's detections: two street scenes"
data = 'people'

rows = [
    dict(name='LA-MOTR', config='../lamotr_people.py', weights='demo/weights/lamotr_people.pth'),
    dict(name='ByteTrack', config='../peers/bytetrack_people.py'),
    dict(name='OC-SORT', config='../peers/ocsort_people.py'),
    dict(name='SORT', config='../peers/sort_people.py'),
    dict(name='SORT with prediction', config='../peers/sort-kalman_people.py'),
    dict(name='StrongSORT (motion)', config='../peers/strongsort_people.py'),
    dict(name='perfect ids', config='../peers/perfect-ids_people.py'),
    dict(
        name="perfect ids on LA-MOTR's boxes",
        config='../peers/perfect-ids-own-boxes_people.py',
    ),
]
